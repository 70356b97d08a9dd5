// The second argument of a handler, in the order in which AWS's clients fill it.

import { fault } from "./errors.mjs";
import { PROMISES_ONLY } from "./version.mjs";

export function fromEnvironment() {
  const { env } = process;
  const names = { functionName: env.AWS_LAMBDA_FUNCTION_NAME, functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION };
  return {
    ...(PROMISES_ONLY ? names : { functionVersion: names.functionVersion, functionName: names.functionName }),
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
}

export function fromHeaders(headers) {
  const deadline = Number.parseInt(headers["lambda-runtime-deadline-ms"], 10);
  const trace = PROMISES_ONLY ? { xRayTraceId: headers["lambda-runtime-trace-id"] } : {};
  return {
    clientContext: parsed(headers, "lambda-runtime-client-context", "ClientContext"),
    identity: parsed(headers, "lambda-runtime-cognito-identity", "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    ...trace,
    getRemainingTimeInMillis: function () {
      return deadline - Date.now();
    },
  };
}

function parsed(headers, header, name) {
  if (!headers[header]) {
    return undefined;
  }
  try {
    return JSON.parse(headers[header]);
  } catch (error) {
    throw PROMISES_ONLY
      ? fault("PlatformError", `Failed to parse ${header} as JSON: ${error.message}`)
      : new Error(`Cannot parse ${name} as json: ${error}`);
  }
}
