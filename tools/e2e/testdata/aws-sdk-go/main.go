// A program as people write them with the AWS SDK for Go: it takes its endpoint and keys from the environment, calls IAM, STS,
// ECR and ECS, and prints what it saw as JSON, one member a step. Steps are named by the arguments.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

type step func(ctx context.Context, cfg aws.Config) (any, error)

var steps = map[string]step{
	"identity": identity,
	"iam":      users,
	"ecr":      repositories,
	"ecs":      clusters,
	"session":  session,
	"presign":  presign,
	"payloads": payloads,
	"wrong":    wrongSecret,
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	seen := map[string]any{}
	for _, name := range os.Args[1:] {
		value, err := steps[name](ctx, cfg)
		if err != nil {
			value = map[string]string{"error": err.Error()}
		}
		seen[name] = value
	}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		panic(err)
	}
}

func identity(ctx context.Context, cfg aws.Config) (any, error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	return aws.ToString(out.Arn), nil
}

// users makes a user with a policy and a key, lists with a paginator, and meets a modeled error.
func users(ctx context.Context, cfg aws.Config) (any, error) {
	client := iam.NewFromConfig(cfg)
	name := aws.String("go-user")
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{
		UserName: name,
		Path:     aws.String("/go/"),
		Tags:     []iamtypes.Tag{{Key: aws.String("größe"), Value: aws.String("a = b")}},
	}); err != nil {
		return nil, err
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:Describe*","Resource":"*"}]}`
	if _, err := client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: name, PolicyName: aws.String("own"), PolicyDocument: aws.String(policy),
	}); err != nil {
		return nil, err
	}
	key, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		return nil, err
	}
	tags, err := client.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: name})
	if err != nil {
		return nil, err
	}
	var found []string
	pages := iam.NewListUsersPaginator(client, &iam.ListUsersInput{MaxItems: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, user := range page.Users {
			found = append(found, aws.ToString(user.UserName))
		}
	}
	_, missing := client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("nobody-here")})
	var noEntity *iamtypes.NoSuchEntityException
	return map[string]any{
		"users":      found,
		"tag":        aws.ToString(tags.Tags[0].Key) + "=" + aws.ToString(tags.Tags[0].Value),
		"keyId":      aws.ToString(key.AccessKey.AccessKeyId),
		"typedError": errors.As(missing, &noEntity),
	}, nil
}

func repositories(ctx context.Context, cfg aws.Config) (any, error) {
	client := ecr.NewFromConfig(cfg)
	made, err := client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("go/web")})
	if err != nil {
		return nil, err
	}
	token, err := client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return nil, err
	}
	_, missing := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"go/none"}})
	var notFound *ecrtypes.RepositoryNotFoundException
	return map[string]any{
		"uri":        aws.ToString(made.Repository.RepositoryUri),
		"age":        time.Since(*made.Repository.CreatedAt).Seconds(),
		"expires":    time.Until(*token.AuthorizationData[0].ExpiresAt).Hours(),
		"typedError": errors.As(missing, &notFound),
	}, nil
}

func clusters(ctx context.Context, cfg aws.Config) (any, error) {
	client := ecs.NewFromConfig(cfg)
	var found []string
	pages := ecs.NewListClustersPaginator(client, &ecs.ListClustersInput{MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, page.ClusterArns...)
	}
	defined, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("go"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{
			Name: aws.String("main"), Image: aws.String("busybox"), Memory: aws.Int32(16),
			Environment: []ecstypes.KeyValuePair{{Name: aws.String("TEXT"), Value: aws.String("ü \"quoted\" \\")}},
		}},
	})
	if err != nil {
		return nil, err
	}
	_, missing := client.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String("none"), Services: []string{"web"},
	})
	var notFound *ecstypes.ClusterNotFoundException
	return map[string]any{
		"clusters":   found,
		"text":       aws.ToString(defined.TaskDefinition.ContainerDefinitions[0].Environment[0].Value),
		"typedError": errors.As(missing, &notFound),
	}, nil
}

// session takes on a role and calls with the session's keys and token; without the token, or with another, they are nothing.
func session(ctx context.Context, cfg aws.Config) (any, error) {
	role, err := sts.NewFromConfig(cfg).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String(os.Getenv("ROLE_ARN")), RoleSessionName: aws.String("go"),
	})
	if err != nil {
		return nil, err
	}
	as := func(token string) (any, error) {
		own := cfg.Copy()
		own.Credentials = credentials.NewStaticCredentialsProvider(
			*role.Credentials.AccessKeyId, *role.Credentials.SecretAccessKey, token)
		return identity(ctx, own)
	}
	good, err := as(*role.Credentials.SessionToken)
	if err != nil {
		return nil, err
	}
	_, none := as("")
	_, other := as(*role.Credentials.SessionToken + "x")
	return map[string]any{"arn": good, "withoutToken": codeOf(none), "otherToken": codeOf(other)}, nil
}

// presign makes a request that anybody can send for a while, as it is and changed.
func presign(ctx context.Context, cfg aws.Config) (any, error) {
	made, err := sts.NewPresignClient(sts.NewFromConfig(cfg)).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	get := func(method, url string) (string, error) {
		request, err := http.NewRequestWithContext(ctx, method, url, nil)
		if err != nil {
			return "", err
		}
		return send(request)
	}
	asItIs, err := get(made.Method, made.URL)
	if err != nil {
		return nil, err
	}
	other := "POST"
	if made.Method == "POST" {
		other = "GET"
	}
	otherMethod, err := get(other, made.URL)
	if err != nil {
		return nil, err
	}
	otherAction, err := get(made.Method, strings.Replace(made.URL, "GetCallerIdentity", "GetSessionToken", 1))
	if err != nil {
		return nil, err
	}
	return map[string]string{"asItIs": asItIs, "otherMethod": otherMethod, "otherAction": otherAction}, nil
}

// payloads signs one ECS call with every kind of payload hash that the signer can be given.
func payloads(ctx context.Context, cfg aws.Config) (any, error) {
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	body := "{}"
	hash := sha256.Sum256([]byte(body))
	seen := map[string]string{}
	for _, payload := range []string{
		hex.EncodeToString(hash[:]),
		"UNSIGNED-PAYLOAD",
		"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
	} {
		request, err := http.NewRequestWithContext(ctx, "POST", aws.ToString(cfg.BaseEndpoint)+"/", strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		request.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListClusters")
		request.Header.Set("X-Amz-Content-Sha256", payload)
		if err := v4.NewSigner().SignHTTP(ctx, keys, request, payload, "ecs", cfg.Region, time.Now()); err != nil {
			return nil, err
		}
		name := payload
		if len(payload) == 64 && !strings.Contains(payload, "-") {
			name = "hash"
		}
		if seen[name], err = send(request); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

func wrongSecret(ctx context.Context, cfg aws.Config) (any, error) {
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	own := cfg.Copy()
	own.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKeyID, "wrong", "")
	_, query := identity(ctx, own)
	_, asJSON := ecs.NewFromConfig(own).ListClusters(ctx, &ecs.ListClustersInput{})
	return map[string]string{"query": codeOf(query), "json": codeOf(asJSON)}, nil
}

// send gives the status and the beginning of the answer.
func send(request *http.Request) (string, error) {
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %s", answer.StatusCode, body), nil
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}
