/** Hardware and domains that tasks ask AWS for and that there is none of here; each says what to use instead. */
export const notOffered = {
  accelerators:
    'Tasks get no GPUs or accelerators: run the work on the processor, or have the task call a service on a machine that has them, and remove the member.',
  elasticInference:
    'There are no Elastic Inference devices, which AWS has ended too: run inference on the processor, or have the task call a service on a machine with accelerators, and remove the member.',
  domainAccounts:
    "Tasks run on Linux without domain accounts: give the container a keytab or a password by 'secrets', with which it gets its own tickets, and remove the member.",
  proxies:
    "There is no App Mesh proxy: add the proxy to the task as a container, which others of an 'awsvpc' task reach at 127.0.0.1, or put a load balancer between services, and remove the member.",
} as const;
