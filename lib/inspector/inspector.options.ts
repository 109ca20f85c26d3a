import type { ControllerOptions, ModuleMetadata } from '@nestjs/common';
import { GUARDS, routePath, VERSION, type RouteGuards } from '../setup/guarded-route.js';
import { flag, passedOn } from '../sources/options/option-kinds.js';
import type { Settings, TableOf } from '../sources/options/option-table.js';

/** Options of `SseInspectorModule.forRoot()`, and what the factory of `forRootAsync()` returns. */
export interface SseInspectorOptions {
  /**
   * Whether the page shows the data of events, and the `info` of clients. Without it they do not leave the
   * server. Default: false.
   */
  readonly showData?: boolean;
  /** Whether the page has a form that publishes events. Default: false, and its route does not exist. */
  readonly send?: boolean;
}

/** The arguments of `forRoot` and `forRootAsync` that decide about the routes. */
export interface SseInspectorRoute {
  /**
   * Who may look: guards as in `@UseGuards()`, classes or objects; or `'none'` where something else decides, such as
   * a global guard. Each of them sees every request, those for scripts among them. Required.
   */
  readonly guards: RouteGuards;
  /**
   * The path of the page, as of a controller: names and parameters such as `:tenant`, with one slash between them. A
   * global prefix comes before it. Default: `inspector`.
   */
  readonly path?: string;
  /** The version of the routes, as of a controller. Default: that of the application. */
  readonly version?: ControllerOptions['version'];
  /** Modules whose providers the guards need. Default: none. */
  readonly imports?: ModuleMetadata['imports'];
}

export const INSPECTOR_OPTIONS = {
  showData: flag(false),
  send: flag(false),
} satisfies TableOf<SseInspectorOptions>;

/** The options of the module with every default in place. */
export type InspectorSettings = Settings<typeof INSPECTOR_OPTIONS>;

export const INSPECTOR_ROUTE = {
  guards: GUARDS,
  path: routePath('inspector'),
  version: VERSION,
  imports: passedOn<NonNullable<SseInspectorRoute['imports']>>(),
} satisfies TableOf<SseInspectorRoute>;
