// The server as tests see it: what it answers on a path, and what it was asked.

type Said = object | null | number | Promise<object>; // a JSON body, a status that is an error, or an answer yet to come
type Answer = Said | ((request: Sent) => Said); // or one that depends on what was sent

/** Sent is a request that was no GET: where to, what it carried, and under which version. */
export interface Sent {
  to: string;
  body: unknown;
  ifMatch: string | null;
}

let answers: Record<string, Answer> = {};

/** asked is the path and query of each request since serve, in order; one that is no GET begins with its method. */
export let asked: string[] = [];

/** sent is the requests since serve that were no GET, in order. */
export let sent: Sent[] = [];

/** serve sets the answer of each path, or of a path with its query or method before it; every other path is 404. */
export function serve(next: Record<string, Answer>): void {
  answers = next;
  asked = [];
  sent = [];
}

export async function answer(input: RequestInfo | URL): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input);
  const method = input instanceof Request && input.method !== "GET" ? `${input.method} ` : "";
  const whole = method + url.pathname + decodeURIComponent(url.search);
  asked.push(whole);
  const name = [whole, method + url.pathname].find((n) => n in answers);
  const request: Sent = { to: whole, body: null, ifMatch: null };
  if (input instanceof Request && method) {
    const text = await input.text();
    Object.assign(request, { body: text && input.headers.get("Content-Type") !== "text/csv" ? JSON.parse(text) : text || null, ifMatch: input.headers.get("If-Match") });
    sent.push(request);
  }
  const said = name === undefined ? 404 : answers[name]!;
  const body = await (typeof said === "function" ? said(request) : said);
  if (typeof body !== "number") return Response.json(body, { status: method ? 201 : 200 });
  if (body === 0) throw new TypeError("Failed to fetch"); // as a browser says it where nobody listens
  return Response.json(
    { status: body, detail: `the reason for ${body}` },
    { status: body, headers: { "Content-Type": "application/problem+json" } },
  );
}
