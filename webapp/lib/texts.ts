// Every word that the web app says of its own accord. What an alert says comes from the server.

const plural = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

export const texts = {
  product: "Breakwater",
  tagline: "Threat detection for industrial control systems",

  shell: {
    skip: "Skip to content",
    navigation: "Main",
    alerts: "Alerts",
    apiDocs: "API docs",
    version: (v: string) => `Version ${v}`,
    theme: "Colour theme",
    themes: { light: "Light", dark: "Dark", system: "As the system" },
  },

  connection: {
    label: "Connection to the server",
    connecting: "Connecting",
    live: "Live",
    reconnecting: "Reconnecting",
    offline: (since: string) => `Offline since ${since}`,
    liveHint: "New alerts appear by themselves.",
    staleHint: "What you see may be out of date until the connection is back.",
  },

  severity: { critical: "Critical", high: "High", medium: "Medium", low: "Low" },
  status: { new: "New", acknowledged: "Acknowledged", resolved: "Resolved", "false-positive": "False positive" },

  alerts: {
    title: "Alerts",
    total: (n: number, filtered: boolean) => (filtered ? `${plural(n, "alert")} in this filter` : plural(n, "alert")),
    list: "Alerts, newest first",
    columns: {
      severity: "Severity",
      alert: "Alert",
      asset: "Asset",
      technique: "Technique",
      facility: "Facility",
      count: "Count",
      seen: "Last seen",
      status: "Status",
    },
    first: "First",
    noTechnique: "None named",
    times: (n: number) => `${n.toLocaleString("en")}×`,
    loading: "Loading alerts",
    refreshFailed: (why: string) => `The list could not be refreshed. ${why}`,
    keys: [
      { key: "j", does: "next" },
      { key: "k", does: "previous" },
      { key: "Enter", does: "open" },
      { key: "Esc", does: "close" },
    ],
    keysLabel: "Keys",
  },

  arrivals: {
    one: (severity: string, title: string, asset: string) => `New ${severity.toLowerCase()} alert: ${title}, ${asset}`,
    many: (n: number, severity: string, title: string, asset: string) =>
      `${plural(n, "new alert")}, the latest ${severity.toLowerCase()}: ${title}, ${asset}`,
    show: "Show",
    dismiss: "Dismiss",
  },

  filters: {
    severity: "Severity",
    status: "Status",
    facility: "Facility",
    inFacility: (id: string) => `Facility ${id}`,
    clear: "Clear filters",
  },

  pager: {
    label: "Pages",
    previous: "Newer",
    next: "Older",
    position: (page: number, pages: number) => `Page ${page.toLocaleString("en")} of ${pages.toLocaleString("en")}`,
  },

  empty: {
    title: "No alerts yet",
    body: "Breakwater raises an alert when something on the plant's network differs from what it has learned. Give it something to look at:",
    demo: { what: "The simulated plant, with an attack on it", command: "make demo-capture" },
    replay: { what: "A capture of your own, the first five minutes taken as normal", command: "breakwater replay FILE --learn 300s" },
    live: "Alerts appear here as they are raised. There is no need to reload.",
    filteredTitle: "No alert matches these filters",
    filteredBody: "Alerts that match will appear here as they are raised.",
    pageTitle: "There is nothing on this page",
    pageBody: (pages: number) => `The list has ${plural(pages, "page")}.`,
    firstPage: "Go to the first page",
  },

  panel: {
    label: "Alert details",
    close: "Close",
    loading: "Loading the alert",
    missing: "There is no such alert",
    missingBody: "It may have been removed since the link was made.",
    asset: "Asset",
    facility: "Facility",
    technique: "Technique",
    confidence: "Confidence",
    count: "Count",
    firstSeen: "First seen",
    lastSeen: "Last seen",
    assignee: "Assigned to",
    lookAt: "What to look at",
    why: "Why this alert",
    context: "The minute before",
    noContext: "No traffic was kept from the minute before this alert.",
    sources: (n: number) => `Sources (${n})`,
    layers: ["", "Anomaly", "Technique", "Prediction"] as readonly string[],
    layer: (n: number) => `Layer ${n}`,
    conversation: "Conversation",
    history: (n: number) => `History (${n})`,
    historyKinds: { detection: "Detection", status: "Status", comment: "Comment", assignee: "Assignee" } as Record<string, string>,
    showAll: (n: number) => `Show all ${n}`,
    percent: (p: number) => `${Math.round(p * 100)} %`,
  },

  errors: {
    title: "The alerts could not be loaded",
    panelTitle: "The alert could not be loaded",
    pageTitle: "This page has failed",
    retry: "Try again",
    unreachable: "The server cannot be reached. Is Breakwater running?",
    status: (n: number) => `The server answered with status ${n}.`,
  },

  notFound: {
    title: "There is no such page",
    body: "The address may be mistyped, or the page may have moved.",
    home: "Go to the alerts",
  },

  time: { utc: (t: string) => `${t} UTC` },
} as const;
