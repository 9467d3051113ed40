export function Leaderboards(_: { name: string }) { return <h1>Leaderboards</h1>; }
