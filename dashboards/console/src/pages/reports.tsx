export function Reports(_: { name: string }) { return <h1>Reports</h1>; }
