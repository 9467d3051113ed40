// The statement that defines something, folded away.

export function Definition({ sql }: { sql: string }) {
  return (
    <details>
      <summary>Definition</summary>
      <pre class="command sql"><code>{sql}</code></pre>
    </details>
  );
}
