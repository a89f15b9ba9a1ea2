import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { SearchBox } from "./search-box";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open() {
  const onSearch = vi.fn<(to: string) => void>();
  const box = (search: string) => <SearchBox label="Search" hint="" search={search} onSearch={onSearch} />;
  const { rerender } = render(box(""));
  const field = () => screen.getByRole<HTMLInputElement>("searchbox");
  return { onSearch, field, follow: (search: string) => rerender(box(search)), type: (value: string) => fireEvent.change(field(), { target: { value } }) };
}

test("what is typed is looked for when the typing pauses, once", () => {
  const { onSearch, field, type } = open();
  type("1");
  act(() => vi.advanceTimersByTime(200));
  type("10");
  act(() => vi.advanceTimersByTime(200));
  expect(onSearch).not.toHaveBeenCalled();
  act(() => vi.advanceTimersByTime(200));
  expect(onSearch.mock.calls).toEqual([["10"]]);
  expect(field().value).toBe("10");
});

test("Enter looks at once, and for nothing that is looked for already", () => {
  const { onSearch, field, follow, type } = open();
  type("10");
  fireEvent.submit(field());
  expect(onSearch.mock.calls).toEqual([["10"]]);
  follow("10");
  fireEvent.submit(field());
  expect(onSearch).toHaveBeenCalledOnce();
});

test("the field follows where the search changes otherwise", () => {
  const { onSearch, field, follow, type } = open();
  type("10");
  follow("plc");
  expect(field().value).toBe("plc");
  act(() => vi.advanceTimersByTime(1_000));
  expect(onSearch).not.toHaveBeenCalled();
});
