// The server as tests see it: what it answers on a path, and what it was asked.

type Answer = object | number | Promise<object>; // a JSON body, a status that is an error, or an answer yet to come

let answers: Record<string, Answer> = {};

/** asked is the path and query of each request since serve, in order. */
export let asked: string[] = [];

/** serve sets the answer of each path; every other path is 404. */
export function serve(next: Record<string, Answer>): void {
  answers = next;
  asked = [];
}

export async function answer(input: RequestInfo | URL): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input);
  asked.push(url.pathname + decodeURIComponent(url.search));
  const body = await (answers[url.pathname] ?? 404);
  if (typeof body !== "number") return Response.json(body);
  if (body === 0) throw new TypeError("Failed to fetch"); // as a browser says it where nobody listens
  return Response.json(
    { status: body, detail: `the reason for ${body}` },
    { status: body, headers: { "Content-Type": "application/problem+json" } },
  );
}
