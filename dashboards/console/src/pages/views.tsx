export function Views(_: { name: string }) { return <h1>Views</h1>; }
