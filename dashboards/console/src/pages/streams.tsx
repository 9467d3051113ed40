export function Streams(_: { name: string }) { return <h1>Streams</h1>; }
