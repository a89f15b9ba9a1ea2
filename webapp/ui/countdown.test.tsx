import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Countdown, Elapsed } from "./countdown";

beforeEach(() => vi.useFakeTimers({ now: Date.UTC(2026, 2, 4, 12) }));
afterEach(() => vi.useRealTimers());

test("a countdown counts down, and says when it is over", () => {
  render(<Countdown until={Date.now() + 62_000} over="over" words={(left) => `${left} left`} />);
  const said = () => screen.getByRole("timer").textContent;
  expect(said()).toBe("1 min 2 s left");
  act(() => vi.advanceTimersByTime(3_000));
  expect(said()).toBe("59 s left");
  act(() => vi.advanceTimersByTime(60_000));
  expect(said()).toBe("over");
});

test("what has elapsed grows by itself", () => {
  const { container } = render(<Elapsed since={Date.now() - 58_000} />);
  expect(container.textContent).toBe("58 s");
  act(() => vi.advanceTimersByTime(3_000));
  expect(container.textContent).toBe("1 min 1 s");
});
