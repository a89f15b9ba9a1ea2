"use client";

// THE socket: the one connection of a page to its server. Messages go into the query cache and nowhere else; what is on
// the screen follows from there. Nothing else opens a socket (eslint holds that).
//
//   /ws ──► channel alerts ──► LiveAlerts.apply ──► query cache
//    └────► connection state ─► useConnection()
//
// After a dropped connection the server sends what was missed, in order. Where it cannot (it was started anew, or too
// much was missed), everything on the screen is asked for again.

import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { Centrifuge } from "centrifuge";
import { useEffect, useSyncExternalStore } from "react";

import { isAlertMessage, LiveAlerts } from "@/lib/alerts";
import { health } from "@/lib/health";

/** Connection is how far what is on the screen can be trusted to be what is. `since` is the browser's clock, ms. */
export type Connection =
  | { state: "connecting" | "live" }
  | { state: "reconnecting"; since: number } // lost a moment ago
  | { state: "offline"; since: number }; // lost for longer than offlineAfter

const offlineAfter = 5_000; // ms

let connection: Connection = { state: "connecting" };
const listeners = new Set<() => void>();

function setConnection(next: Connection): void {
  connection = next;
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const beforeConnecting: Connection = { state: "connecting" };

/** useConnection is the state of the socket. */
export function useConnection(): Connection {
  return useSyncExternalStore(listen, () => connection, () => beforeConnecting);
}

/** useWebSocket holds the socket open while the component that calls it is mounted: once, at the root of the page. */
export function useWebSocket(): void {
  const cache = useQueryClient();
  useEffect(() => open(cache), [cache]);
}

function open(cache: QueryClient): () => void {
  const alerts = new LiveAlerts(cache);
  // A client that gives a name is asked for pongs; the browser answers them by itself.
  const client = new Centrifuge(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, {
    name: "web",
    minReconnectDelay: 250, // ms
    maxReconnectDelay: 5_000,
  });
  const channel = client.newSubscription("alerts");
  let giveUp: ReturnType<typeof setTimeout> | undefined;

  const lost = () => {
    if (connection.state === "reconnecting" || connection.state === "offline") return;
    const since = Date.now();
    if (connection.state === "live") setConnection({ state: "reconnecting", since });
    giveUp ??= setTimeout(() => setConnection({ state: "offline", since }), offlineAfter);
  };
  channel.on("publication", ({ data }) => {
    if (isAlertMessage(data)) alerts.apply(data);
  });
  channel.on("subscribed", ({ wasRecovering, recovered }) => {
    clearTimeout(giveUp);
    giveUp = undefined;
    setConnection({ state: "live" });
    // What was missed comes as publications right after this. Otherwise (also on the first connection, which opens
    // later than the first answer was asked for) only asking again is certain.
    if (!(wasRecovering && recovered)) alerts.reload();
    void cache.invalidateQueries({ queryKey: health.queryKey });
  });
  channel.on("subscribing", lost);
  client.on("disconnected", lost); // the server has refused us for good

  lost(); // offline, too, where the very first connection does not come about
  channel.subscribe();
  client.connect();
  return () => {
    clearTimeout(giveUp);
    alerts.stop();
    channel.removeAllListeners();
    client.removeAllListeners();
    client.disconnect();
    setConnection(beforeConnecting);
  };
}
