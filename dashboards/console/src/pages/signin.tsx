import { useEffect, useRef } from 'preact/hooks';
import { signIn } from '../state/session.ts';

export function SignIn({ why }: { why: string }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.value = '';
    input.current?.focus();
  }, [why]);
  return (
    <form id="signin" class="signin" onSubmit={(e) => { e.preventDefault(); signIn(input.current?.value.trim() ?? ''); }}>
      <h1>Sign in</h1>
      <p id="why" role="alert">{why}</p>
      <label for="token">Token</label>
      <input ref={input} id="token" type="password" autocomplete="current-password" spellcheck={false} placeholder="mr_…" required />
      <button class="primary">Sign in</button>
      <p class="dim">An administrator makes one with <code>millrace token create</code>. It is kept by this tab until you close it.</p>
    </form>
  );
}
