/** What tests use of `process-on-spawn`, which has no types of its own. */

declare module 'process-on-spawn' {
  interface Spawned {
    env: Readonly<Record<string, string>>;
  }

  const processOnSpawn: {
    /** Called before each process that is started, in the order of their adding. */
    readonly addListener: (listener: (spawned: Spawned) => void) => void;
  };
  export default processOnSpawn;
}
