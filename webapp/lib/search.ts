/** asSearch is a query as a URL has it: `facility=north,south&sort=name`, lists with commas between. */
export const asSearch = (query: object) =>
  Object.entries(query)
    .map(([name, value]) => `${name}=${[value].flat().map(encodeURIComponent).join(",")}`)
    .join("&");
