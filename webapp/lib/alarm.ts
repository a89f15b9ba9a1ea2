import { preference } from "./preference";

/** alarm is how a critical alert makes itself known beyond the page. */
export const alarm = preference("alarm", { notify: false, sound: false }, (kept) => {
  const { notify, sound } = kept as { notify?: unknown; sound?: unknown };
  return { notify: notify === true, sound: sound === true };
});

let context: AudioContext | undefined;

/** ring plays two short tones. A browser that was not touched since the page was opened plays nothing. */
export async function ring(): Promise<void> {
  context ??= new AudioContext();
  if (context.state === "suspended") await context.resume();
  const start = context.currentTime;
  for (const [i, pitch] of [880, 660].entries()) {
    const at = start + i * 0.22;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = pitch; // Hz
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.2);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.21);
  }
}
