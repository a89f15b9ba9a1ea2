"use client";

import { useEffect, useRef, useState, type KeyboardEvent, type RefObject } from "react";

import { standings, type AttackGraph } from "@/lib/attack";
import { texts } from "@/lib/texts";
import { subscribe } from "@/lib/theme";
import { Legend } from "./legend";
import { more, Picture, type Way } from "./picture";
import { room } from "./room";

const t = texts.attack;

/** AttackPicture is the graph, for the eye and the pointer, and for the keyboard: what is gone to is said. The lists beside it say the same. */
export default function AttackPicture({ graph, summary, chosen, search, onChoose, pictureRef }: {
  graph: AttackGraph;
  summary: string;
  chosen: string | null;
  search: string;
  onChoose: (id: string) => void;
  pictureRef: RefObject<Picture | null>;
}) {
  const box = useRef<HTMLDivElement>(null);
  const choose = useRef(onChoose);
  const [at, setAt] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    choose.current = onChoose;
  });

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let picture: Picture;
    try {
      picture = new Picture(element, (id) => choose.current(id));
    } catch {
      const timer = setTimeout(() => setFailed(true)); // a browser without a canvas
      return () => clearTimeout(timer);
    }
    pictureRef.current = picture;
    const forget = subscribe(() => picture.paint());
    const observer = new ResizeObserver(() => picture.resized());
    observer.observe(element);
    return () => {
      observer.disconnect();
      forget();
      pictureRef.current = null;
      picture.destroy();
    };
  }, [pictureRef]);
  useEffect(() => pictureRef.current?.show(graph), [graph, pictureRef]);
  useEffect(() => pictureRef.current?.mark({ chosen, at, search }), [chosen, at, search, pictureRef]);
  useEffect(() => {
    if (chosen) pictureRef.current?.reveal(chosen);
  }, [chosen, pictureRef]);

  const key = (e: KeyboardEvent) => {
    const picture = pictureRef.current;
    if (!picture || e.ctrlKey || e.metaKey || e.altKey || e.target !== e.currentTarget) return;
    if (e.key.startsWith("Arrow")) {
      const next = picture.step(at ?? chosen, e.key as Way);
      if (next) {
        setAt(next);
        picture.reveal(next);
      }
    } else if ((e.key === "Enter" || e.key === " ") && at) onChoose(at);
    else if (e.key === "+") picture.zoom(1.25);
    else if (e.key === "-") picture.zoom(0.8);
    else if (e.key === "0") picture.fit();
    else return;
    e.preventDefault();
  };

  if (failed) return <p className="px-4 py-6 text-sm text-muted">{t.drawFailed}</p>;
  const here = graph.nodes.find((n) => n.id === at);
  return (
    <div>
      <div
        role="application"
        tabIndex={0}
        aria-label={t.graph(summary)}
        aria-describedby="graph-keys"
        data-testid="graph"
        onKeyDown={key}
        onBlur={() => setAt(null)}
        className={`${room} overflow-hidden focus-visible:-outline-offset-2`}
      >
        <div ref={box} aria-hidden className="size-full" />
      </div>
      <p role="status" className="sr-only">
        {here && t.node(here.id, here.name, t.standing[standings(graph).get(here.id) ?? "seen"], more(here))}
      </p>
      <p id="graph-keys" className="sr-only">
        {t.graphKeys}
      </p>
      <Legend matrix={false}>
        <View name={t.zoomOut} path="M3 8h10" onShow={() => pictureRef.current?.zoom(0.8)} />
        <View name={t.zoomIn} path="M3 8h10M8 3v10" onShow={() => pictureRef.current?.zoom(1.25)} />
        <View name={t.fit} path="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" onShow={() => pictureRef.current?.fit()} />
      </Legend>
    </div>
  );
}

/** View is a button that changes which part of the graph is to be seen. */
function View({ name, path, onShow }: { name: string; path: string; onShow: () => void }) {
  return (
    <button type="button" aria-label={name} title={name} onClick={onShow} className="inline-flex size-8 items-center justify-center rounded-md border border-line-strong bg-surface hover:bg-hover">
      <svg aria-hidden viewBox="0 0 16 16" className="size-4" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round">
        <path d={path} />
      </svg>
    </button>
  );
}
