/** A file system cannot be mounted; the message is in the words of EFS's mount helper. */
export class FileSystemError extends Error {
  override readonly name = 'FileSystemError';

  /** What a task is stopped with, as ECS says it. */
  get reason(): string {
    return `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: ${this.message} : unsuccessful EFS utils command execution; code: 32`;
  }
}
