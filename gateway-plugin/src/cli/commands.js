export function registerCli(api) {}
