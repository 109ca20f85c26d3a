import { randomBytes } from 'node:crypto';

/** Who is logged in. A visitor has one session for each browser that has logged in under the name. */
export abstract class Sessions {
  /** Resolves with the value of the cookie: the name, and a secret that nobody guesses. */
  async begin(name: string): Promise<string> {
    const secret = randomBytes(18).toString('base64url');
    await this.add(name, secret);
    return `${Buffer.from(name).toString('base64url')}.${secret}`;
  }

  /** Resolves with the name of the visitor, or with `undefined` where the session has ended. */
  async visitorOf(cookie: string): Promise<string | undefined> {
    const [encoded = '', secret = ''] = cookie.split('.');
    const name = Buffer.from(encoded, 'base64url').toString();
    return (await this.has(name, secret)) ? name : undefined;
  }

  /** Ends all sessions of the visitor. */
  abstract endAll(name: string): Promise<void>;

  protected abstract add(name: string, secret: string): Promise<void>;
  protected abstract has(name: string, secret: string): Promise<boolean>;
}
