export function SQL(_: { name: string }) { return <h1>SQL</h1>; }
