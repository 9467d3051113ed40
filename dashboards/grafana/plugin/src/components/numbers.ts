/** wholeNumber reads what is in a number field: 1 or more, anything else is as if it were empty. */
export function wholeNumber(text: string): number | undefined {
  const n = Number(text);
  return text.trim() !== '' && Number.isInteger(n) && n >= 1 ? n : undefined;
}
