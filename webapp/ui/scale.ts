/**
 * scale is a round range of values around those given, and its marks from the lowest to the highest: three to six, a
 * step of 1, 2 or 5 times a power of ten apart. least is the smallest step that means something.
 */
export function scale(values: readonly number[], { from, to, least = 0 }: { from?: number; to?: number; least?: number } = {}): number[] {
  let low = Math.min(...values, from ?? Infinity);
  let high = Math.max(...values, to ?? -Infinity);
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = [from ?? 0, to ?? (from ?? 0) + 1];
  if (low === high) {
    const around = (Math.abs(low) || 1) / 10;
    [low, high] = [from === low ? low : low - around, to === high ? high : high + (from === low ? 10 : 1) * around];
  }
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(least, power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
