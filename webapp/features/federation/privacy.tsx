"use client";

import { useQuery } from "@tanstack/react-query";

import { bytes, figure, percent } from "@/lib/format";
import { privacyMetrics } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Figure } from "@/ui/figure";
import { Progress } from "@/ui/progress";
import { Skeleton } from "@/ui/skeleton";

const t = texts.federation.privacy;
const unknown = texts.federation.unknown;

/** Privacy is what the rounds have cost in privacy so far, and what was sent. */
export function Privacy({ className }: { className: string }) {
  const { data, error, refetch, isFetching } = useQuery(privacyMetrics);
  const { epsilon = null, delta = null, privacy_budget_remaining: left = null, data_size: size = null, encryption = null } = data ?? {};
  const budget = epsilon !== null && left !== null ? epsilon + left : 0;
  return (
    <Card id="privacy" title={t.title} className={className}>
      {!data && !error && <Skeleton label={t.loading} rows={2} />}
      {!data && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data && (
        <>
          <dl className="grid grid-cols-2 gap-x-4 gap-y-4">
            <Figure name={t.epsilon} hint={epsilon === null ? t.offHint : delta !== null && t.delta(figure(delta))}>
              {epsilon === null ? t.off : figure(epsilon)}
            </Figure>
            <Figure name={t.remaining} hint={budget > 0 && left !== null && t.remainingOf(percent(left / budget))}>
              {left === null ? t.noBudget : figure(left)}
            </Figure>
            <Figure name={t.bytes}>{size === null ? unknown : bytes(size)}</Figure>
            <Figure name={t.encryption}>
              <span className="text-base">{encryption ?? unknown}</span>
            </Figure>
          </dl>
          {budget > 0 && epsilon !== null && <Progress label={t.budget} value={(epsilon / budget) * 100} className="mt-4" />}
        </>
      )}
    </Card>
  );
}
