// Which generation of AWS's client this one behaves as.

const told = /^AWS_Lambda_nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? "");
const major = Number(told?.[1] ?? process.versions.node.split(".")[0]);

// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
export const PROMISES_ONLY = major >= 24;
