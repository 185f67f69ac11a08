// Stands in for the Gateway's own program: `gateway call voicecall.cli --params {...}`.

const words = process.argv.slice(2);
const { method, params } = JSON.parse(words[words.indexOf("--params") + 1]);
const answers = {
  "voicecall.status": { result: { calls: [], params } },
  "voicecall.initiate": { result: { callId: "c1", initiated: true } },
  "voicecall.setup": { result: { ok: false, provider: "mock", checks: [] } },
  "voicecall.end": {
    error: { code: -32001, message: "There is no such call.", data: { kind: "callNotFound", retryable: false } },
  },
  "voicecall.speak": { error: { message: "Not running.", data: { kind: "unavailable", noSidecar: true } } },
  "voicecall.dtmf": {
    error: { code: -32013, message: "The store is full.", data: { kind: "storeUnavailable" } },
  },
};
if (words[0] !== "gateway" || words[2] !== "voicecall.cli" || !answers[method]) {
  console.error("Gateway call failed: Error: connect ECONNREFUSED 127.0.0.1:1");
  process.exit(1);
}
console.log("a remark before the {document}");
console.log(JSON.stringify(answers[method], null, 2));
