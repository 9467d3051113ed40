export function DeadLetters(_: { name: string }) { return <h1>DeadLetters</h1>; }
