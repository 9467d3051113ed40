// JSON whose integers are as they were written.

/** A value of an answer's JSON; integers that a number would round are bigint. */
export type Value = null | boolean | number | bigint | string | Value[] | { [name: string]: Value };

/** Reads JSON without rounding integers, where the browser tells their text. */
export function parseExact<T>(text: string): T {
  type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
  const exact: Reviver = (_, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && context?.source && /^-?\d+$/.test(context.source)
      ? BigInt(context.source)
      : value;
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown) as T;
}
