import type { ComponentProps } from "react";

import { PlaceLink } from "@/ui/place-link";
import type { AttackUrl } from "./use-attack-url";

/** TechniqueChoice is a link that chooses a technique, and opens it elsewhere as any link does. */
export function TechniqueChoice({ id, url, ...props }: Omit<ComponentProps<"a">, "id" | "href" | "onClick"> & { id: string; url: AttackUrl }) {
  return <PlaceLink href={url.href({ technique: id })} data-technique={id} aria-current={url.technique === id || undefined} onGo={() => url.go({ technique: id })} {...props} />;
}
