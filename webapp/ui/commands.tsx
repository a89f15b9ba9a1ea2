/** Commands is what can be typed into a terminal to go on from here, each under what it does. */
export function Commands({ list }: { list: readonly { what: string; command: string }[] }) {
  return (
    <dl className="my-5 space-y-4">
      {list.map(({ what, command }) => (
        <div key={command}>
          <dt>{what}</dt>
          <dd className="mt-1">
            <code className="block overflow-x-auto rounded-md border border-line bg-sunken px-3 py-2 font-mono text-sm text-text">{command}</code>
          </dd>
        </div>
      ))}
    </dl>
  );
}
