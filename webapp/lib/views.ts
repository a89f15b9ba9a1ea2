import { preference } from "./preference";

/** View is a filter that somebody saved under a name: the query of the alerts page's URL. */
export interface View {
  name: string;
  search: string;
}

/** views are the saved ones, in the order in which they were saved. */
export const views = preference<readonly View[]>("views", [], (kept) =>
  (kept as View[]).filter((v) => typeof v.name === "string" && typeof v.search === "string").map(({ name, search }) => ({ name, search })),
);

/** saveView keeps a filter under a name; one that has the name already is replaced. */
export function saveView(view: View): void {
  const others = views.read().filter((v) => v.name !== view.name);
  views.write([...others, view]);
}

export function forgetView(name: string): void {
  views.write(views.read().filter((v) => v.name !== name));
}
