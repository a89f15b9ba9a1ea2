"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";

import { clients, currentRound, triggerRound } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";

const t = texts.federation.trigger;

/** TriggerRound starts a round, after a question: it costs computing time at every client. */
export function TriggerRound() {
  const cache = useQueryClient();
  const { data: known } = useQuery(clients);
  const { data: round } = useQuery(currentRound);
  return (
    <Confirm
      words={t}
      onConfirm={() => triggerRound(cache)}
      button={(ask) => (
        <Button primary onClick={ask}>
          {t.button}
        </Button>
      )}
    >
      <p>{t.body(known?.length ?? 0)}</p>
      {round?.status === "in-progress" && <p>{t.waits}</p>}
    </Confirm>
  );
}
