// A stand-in for the language model: an OpenAI-compatible server whose answers are scripted.

import http from "node:http";

export class Model {
  /** Every request, in order: `{at, model, system, user, tools}`. */
  asked = [];
  #rules = [];
  #server;

  static async open() {
    const model = new Model();
    model.#server = http.createServer((request, response) => model.#serve(request, response));
    await new Promise((resolve) => model.#server.listen(0, "127.0.0.1", resolve));
    return model;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  /**
   * What the model writes when `wanted(request)`: a list of pieces, a tool call `{tool, args}`, or
   * `hang` for an answer that never ends. A number among the pieces is a pause in ms. The last rule
   * that fits wins.
   */
  when(wanted, answer) {
    this.#rules.push({ wanted, answer });
  }

  said(text) {
    return this.asked.filter(({ user }) => user.includes(text));
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    if (!request.url.endsWith("/chat/completions")) {
      response.end('{"data":[]}');
      return;
    }
    const body = JSON.parse(Buffer.concat(parts).toString());
    const asked = look(body);
    this.asked.push(asked);
    const rule = this.#rules.findLast(({ wanted }) => wanted(asked));
    const answer = typeof rule?.answer === "function" ? rule.answer(asked) : rule?.answer;
    response.on("close", () => (asked.closed = performance.now()));
    await stream(response, body.model, answer ?? ["Understood."]);
    asked.done = performance.now();
  }
}

/** The latest words of a user, without what a Gateway adds around them. */
function look({ model, messages, tools = [] }) {
  const text = (content) =>
    typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("\n");
  const own = messages.filter(
    ({ role, content }) => role !== "system" && role !== "developer" && !text(content).includes("OPENCLAW_INTERNAL_CONTEXT"),
  );
  const last = own.at(-1);
  return {
    at: performance.now(),
    model,
    system: messages.filter(({ role }) => role === "system" || role === "developer").map(({ content }) => text(content)).join("\n"),
    user: last ? text(last.content) : "",
    role: last?.role,
    tools: tools.map((tool) => tool.function?.name),
  };
}

async function stream(response, model, answer) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (delta, finish = null) => {
    const choices = [{ index: 0, delta, finish_reason: finish }];
    const chunk = { id: "c1", object: "chat.completion.chunk", created: 1, model, choices };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  send({ role: "assistant", content: "" });
  if (answer === "hang") {
    send({ content: "Let me think about that. " });
    return;
  }
  if (answer.tool) {
    const call = { name: answer.tool, arguments: JSON.stringify(answer.args) };
    send({ tool_calls: [{ index: 0, id: `t${Date.now()}`, type: "function", function: call }] });
    send({}, "tool_calls");
  } else {
    for (const piece of answer) {
      if (typeof piece === "string") send({ content: piece });
      else await new Promise((resolve) => setTimeout(resolve, piece));
    }
    send({}, "stop");
  }
  response.end("data: [DONE]\n\n");
}
