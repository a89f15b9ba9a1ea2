"use client";

// THE socket: the one connection of a page to its server. Messages go into the query cache and nowhere else; what is on
// the screen follows from there. Nothing else opens a socket (eslint holds that).
//
//   /ws ──► channel alerts      ──► LiveAlerts        ─┐
//    │      channel fl_status   ──► LiveRounds         ├─► query cache ──► screen
//    │      channel predictions ──► LivePredictions    │
//    │      channel system      ──► LiveSystem, LiveDemo ┘
//    └────► connection state    ──► useConnection()
//
// After a dropped connection the server sends what was missed, in order, channel by channel. Where it cannot (it was
// started anew, or too much was missed), what that channel tells of is asked for again.

import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { Centrifuge } from "centrifuge";
import { useEffect, useSyncExternalStore } from "react";

import { isAlertMessage, LiveAlerts } from "@/lib/alerts";
import { isDemoMessage, LiveDemo } from "@/lib/demo";
import { health } from "@/lib/health";
import { isMessage, Reloads } from "@/lib/live";
import { isPredictionMessage, LivePredictions } from "@/lib/predictions";
import { isRoundMessage, LiveRounds } from "@/lib/rounds";
import { isSystemMessage, LiveSystem } from "@/lib/system";

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

/** Channel is what is done with the messages of one channel. */
interface Channel {
  take: (message: unknown) => void;
  reload: () => void; // messages were missed
}

/** channelsInto brings the messages of every channel into the cache. What a message does not know is left to the server: figures, graphs. */
export function channelsInto(cache: QueryClient): { channels: Record<string, Channel>; stop: () => void } {
  const alerts = new LiveAlerts(cache);
  const rounds = new LiveRounds(cache);
  const predictions = new LivePredictions(cache);
  const system = new LiveSystem(cache);
  const demo = new LiveDemo(cache);
  const figures = new Reloads(cache, figuresEvery);
  const ofAlerts = [["alerts-stats"], ["mitre"], ["incidents"]];
  return {
    channels: {
      alerts: {
        take: (m) => {
          if (!isAlertMessage(m)) return;
          alerts.apply(m);
          figures.soon(...ofAlerts);
        },
        reload: () => {
          alerts.reload();
          for (const queryKey of ofAlerts) void cache.invalidateQueries({ queryKey });
        },
      },
      fl_status: { take: (m) => isRoundMessage(m) && rounds.apply(m), reload: () => rounds.reload() },
      predictions: { take: (m) => isPredictionMessage(m) && predictions.apply(m), reload: () => predictions.reload() },
      system: {
        take: (m) => {
          if (isSystemMessage(m)) system.apply(m);
          else if (isDemoMessage(m)) demo.apply(m);
        },
        reload: () => {
          system.reload();
          demo.reload();
        },
      },
    },
    stop: () => {
      alerts.stop();
      rounds.stop();
      predictions.stop();
      figures.stop();
    },
  };
}

const figuresEvery = 2_000; // ms

function open(cache: QueryClient): () => void {
  const { channels, stop } = channelsInto(cache);
  // A client that gives a name is asked for pongs; the browser answers them by itself.
  const client = new Centrifuge(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, {
    name: "web",
    minReconnectDelay: 250, // ms
    maxReconnectDelay: 5_000,
  });
  let giveUp: ReturnType<typeof setTimeout> | undefined;

  const lost = () => {
    if (connection.state === "reconnecting" || connection.state === "offline") return;
    const since = Date.now();
    if (connection.state === "live") setConnection({ state: "reconnecting", since });
    giveUp ??= setTimeout(() => setConnection({ state: "offline", since }), offlineAfter);
  };
  const subscriptions = Object.entries(channels).map(([name, { take, reload }]) => {
    const channel = client.newSubscription(name);
    // Where Redis, over which servers share the channels, was away, the server says that messages are missing.
    channel.on("publication", ({ data }) => (isMessage(data, [`${name}_reload`]) ? reload() : take(data)));
    channel.on("subscribed", ({ wasRecovering, recovered }) => {
      // What was missed comes as publications right after this. Otherwise (also on the first connection, which opens
      // later than the first answer was asked for) only asking again is certain.
      if (!(wasRecovering && recovered)) reload();
      if (subscriptions.some((s) => s.state !== "subscribed")) return;
      clearTimeout(giveUp);
      giveUp = undefined;
      setConnection({ state: "live" });
      void cache.invalidateQueries({ queryKey: health.queryKey });
    });
    channel.on("subscribing", lost);
    return channel;
  });
  client.on("disconnected", lost); // the server has refused us for good

  lost(); // offline, too, where the very first connection does not come about
  for (const channel of subscriptions) channel.subscribe();
  client.connect();
  return () => {
    clearTimeout(giveUp);
    stop();
    for (const channel of subscriptions) channel.removeAllListeners();
    client.removeAllListeners();
    client.disconnect();
    setConnection(beforeConnecting);
  };
}
