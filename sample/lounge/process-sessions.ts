import { Sessions } from './sessions.js';

/** Sessions in this process: enough for one instance. */
export class ProcessSessions extends Sessions {
  private readonly secrets = new Map<string, Set<string>>();

  async endAll(name: string): Promise<void> {
    this.secrets.delete(name);
  }

  protected async add(name: string, secret: string): Promise<void> {
    this.secrets.set(name, (this.secrets.get(name) ?? new Set()).add(secret));
  }

  protected async has(name: string, secret: string): Promise<boolean> {
    return this.secrets.get(name)?.has(secret) ?? false;
  }
}
