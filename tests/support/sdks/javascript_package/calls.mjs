// Reads one call a line from standard input, makes it with the AWS SDK, and writes one line with what came back.
//
//     node calls.mjs DIRECTORY-OF-NODE-MODULES

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.argv[2]}/`);
const { NodeHttpHandler } = require("@smithy/node-http-handler");
const packages = {
  kinesis: ["@aws-sdk/client-kinesis", "KinesisClient"],
  lambda: ["@aws-sdk/client-lambda", "LambdaClient"],
  logs: ["@aws-sdk/client-cloudwatch-logs", "CloudWatchLogsClient"],
  sqs: ["@aws-sdk/client-sqs", "SQSClient"],
};
const clients = {};

function client(service) {
  const [name, kind] = packages[service];
  const endpoint = service === "lambda" ? process.env.HEADRACE : process.env.EMULATOR;
  // Kinesis' own default is HTTP/2, which emulators do not speak without TLS.
  clients[service] ??= new (require(name)[kind])({ endpoint, requestHandler: new NodeHttpHandler() });
  return clients[service];
}

const bytes = (key, value) => (value?.$bytes === undefined ? value : Buffer.from(value.$bytes, "base64"));
const text = (key, value) => (key === "Payload" && value?.transformToString ? value.transformToString() : value);

for await (const line of createInterface({ input: process.stdin })) {
  const { service, operation, parameters } = JSON.parse(line, bytes);
  let said;
  try {
    const Command = require(packages[service][0])[`${operation}Command`];
    const { $metadata, ...output } = await client(service).send(new Command(parameters));
    if (output.Payload) output.Payload = output.Payload.transformToString();
    said = { output };
  } catch (error) {
    said = { error: { code: error.name, message: error.message } };
  }
  process.stdout.write(`${JSON.stringify(said, text)}\n`);
}
