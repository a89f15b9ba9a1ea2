import type { ComponentProps } from "react";

import type { AttackUrl } from "./use-attack-url";

/** TechniqueChoice is a link that chooses a technique, and opens it elsewhere as any link does. */
export function TechniqueChoice({ id, url, ...props }: Omit<ComponentProps<"a">, "id" | "href" | "onClick"> & { id: string; url: AttackUrl }) {
  return (
    <a
      href={url.href({ technique: id })}
      data-technique={id}
      aria-current={url.technique === id || undefined}
      onClick={(e) => {
        if (e.metaKey || e.ctrlKey || e.shiftKey) return;
        e.preventDefault();
        url.go({ technique: id });
      }}
      {...props}
    />
  );
}
