export function Batches(_: { name: string }) { return <h1>Batches</h1>; }
