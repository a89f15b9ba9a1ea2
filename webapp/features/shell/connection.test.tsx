import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { useWebSocket } from "@/hooks/use-websocket";
import { comeBack, FakeSocket, leave, newServer } from "@/test/socket";
import { ConnectionBanner } from "./connection-banner";
import { ConnectionState } from "./connection-state";

function Page() {
  useWebSocket();
  return (
    <>
      <ConnectionState />
      <ConnectionBanner />
    </>
  );
}

const wait = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(2026, 2, 4, 12, 0, 0) });
  vi.stubGlobal("WebSocket", FakeSocket);
  newServer();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("that the page follows the server is said in words; while it does not for long, since when, and what that means", async () => {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Page />
    </QueryClientProvider>,
  );
  await wait(100);
  const state = screen.getByRole("status", { name: "Connection to the server" });
  expect(state.textContent).toBe("Live");
  expect(screen.queryByTestId("offline")).toBeNull();
  leave();
  await wait(1_000);
  expect(state.dataset.state).toBe("reconnecting");
  expect(screen.queryByTestId("offline")).toBeNull();
  await wait(10_000);
  expect(state.textContent).toContain("12:00:00");
  expect(screen.getByTestId("offline").textContent).toContain("No connection to the server since 12:00:00. What you see is as it was then");
  comeBack();
  await wait(60_000);
  expect(state.textContent).toBe("Live");
  expect(screen.queryByTestId("offline")).toBeNull();
});
