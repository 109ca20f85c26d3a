export { SseModule } from './sse.module.js';
export { SseService } from './sse.service.js';
export type { SseStats } from './sse.stats.js';
export type { SseHealth } from './sse.health.js';
export type { SystemHealth, SystemState } from './channel/system-health.js';
export { SSE_METRICS_TYPE } from './metrics/prometheus.js';
export type { LimitOptions, RetainOptions, SseModuleOptions } from './setup/module-options.js';
export type {
  ChannelOptions,
  EndpointOptions,
  ResumeOptions,
  SendOptions,
  SourceOption,
  StreamOptions,
  TypedSendOptions,
} from './setup/channel-options.js';
export type { SnapshotOption, SnapshotsOption } from './setup/snapshot-option.js';
export type { ChannelSender, TypedEventToSend } from './sending/channel-sender.js';
export type { EventToSend, SendResult } from './sending/send-all.options.js';
export {
  OnSseConnect,
  OnSseDisconnect,
  OnSseOccupied,
  OnSseVacated,
} from './connections/connection-hooks.decorators.js';
export type { SseClosed, SseConnectionEvent, SseOpened } from './delivery/connection-events.js';
export type { EndReason as SseEndReason } from './delivery/end-reason.js';
export type { ConnectionsOptions } from './connections/list-connections.js';
export type { ConnectionFilter } from './delivery/connection-filter.js';
export type { SseClient } from './delivery/client.js';
export type { SseEnd } from './delivery/end-frame.js';
export type { SseChannels, SseDenied, SseOpen } from './delivery/opening.js';
export type { SseSnapshot } from './delivery/snapshot-cursor.js';
export type { SseEventMap } from './sse.event-map.js';
export type { SseConnection } from './delivery/sse-connection.js';
export { SseChannel } from './endpoint/sse-channel.decorator.js';
export type { ChannelResolver } from './endpoint/route.js';
export { requestedChannels } from './endpoint/requested-channels.js';
export type {
  RequestableChannel,
  RequestedChannelsOptions,
} from './setup/requested-channels-options.js';
export { LastEventId, SseEvents } from './endpoint/sse-params.decorator.js';
export type { SseRun, SseRunEnd, SseRunError, SseRunStopped } from './runs/sse-run.js';
export { SseRunActiveError } from './runs/run-errors.js';
export type { RunSource } from './runs/source/run-source.js';
export type { RevalidateOption } from './setup/revalidate-option.js';
export type { RunOptions, RunsOptions, StopOptions } from './setup/run-options.js';
export { SseTicketGuard } from './endpoint/sse-ticket.guard.js';
export { SseTickets } from './tickets/sse-tickets.js';
export type { TicketOptions } from './tickets/sse-tickets.js';
export { ticketOf } from './tickets/redeemed.js';
export type { SseTicket } from './tickets/redeemed.js';
export { channelName } from './channel/channel-name.js';
export { channelParams } from './channel/channel-params.js';
export type { ChannelParams } from './channel/channel-params.js';
export { defineChannel } from './typed/define-channel.js';
export { unchecked } from './typed/standard-schema.js';
export type { StandardIssue, StandardSchema } from './typed/standard-schema.js';
export type {
  ChannelDefinition,
  DataOf,
  DataToSend,
  EventOf,
  EventTypeOf,
  ParamsOf,
  StreamEventOf,
} from './typed/channel-definition.js';
export { SseSchemaError } from './typed/schema-error.js';
export type { SchemaIssue } from './typed/schema-issues.js';
export { SseError } from './channel/sse-error.js';
export type { SseErrorCode } from './channel/sse-error.js';
export { isReset } from './channel/reset-event.js';
export type { SseReset } from './channel/reset-reason.js';
export type { SseEvent } from './channel/sse-event.js';
export type { OnceKey, SentOnce } from './channel/once.js';
export type { ControlLog, ControlSink } from './channel/control.js';
export type {
  SseJoin,
  SseLeave,
  PresenceCounts,
  PresenceMember,
  PresenceOptions,
  PresencePage,
  PresenceSeat,
  PresenceSink,
  PresenceStore,
} from './channel/presence.js';
export type {
  AppendResult,
  NewRun,
  OnChunks,
  RunAppend,
  RunChunk,
  RunName,
  RunRecord,
  RunStore,
} from './channel/runs.js';
export type { PresenceListOptions } from './presence/presence.options.js';
export type {
  SseMember,
  SseOccupied,
  SsePresence,
  SsePresenceStats,
  SseVacated,
} from './presence/sse-presence.js';
export type { ConnectionTarget } from './delivery/revocations.js';
export type { DisconnectOptions } from './connections/disconnect.options.js';
export type {
  Broker,
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  ChannelSource,
  HistoryEvent,
  HistoryPage,
  Lifecycle,
  OutgoingEvent,
  PublishOptions,
  ResetReason,
  SourceEvent,
} from './channel/source.js';
export { MemoryKeyStore as MemoryStore } from './sources/cache/memory-store.js';
export type { CacheLike } from './sources/cache/cache-calls.js';
export type { CacheOptions } from './sources/cache/cache-options.js';
export type { PollOptions } from './sources/poll/poll.options.js';
export type {
  RedisRetainOptions,
  RedisStreamsOptions,
} from './sources/redis/redis-streams.options.js';
export type { ListenOptions } from './sources/postgres/listen.options.js';
export { triggerSql } from './sources/postgres/trigger-sql.js';
export type { TriggerSqlOptions } from './sources/postgres/trigger-sql.js';
export { dropTriggerSql } from './sources/postgres/drop-trigger-sql.js';
export type { TriggerEvent } from './sources/postgres/trigger-target.js';
export type {
  EventTableOptions,
  TableRetainOptions,
} from './sources/event-table/event-table.options.js';
export type { EventTableStats } from './sources/event-table/event-table.js';
export { eventTableSql } from './sources/event-table/event-table-sql.js';
export type { EventTableSqlOptions } from './sources/event-table/event-table-sql.js';
export { durableTriggerSql } from './sources/event-table/durable-trigger-sql.js';
export type { DurableTriggerSqlOptions } from './sources/event-table/durable-trigger-sql.js';
export { dropEventTableSql } from './sources/event-table/drop-event-table-sql.js';
export type { DropEventTableSqlOptions } from './sources/event-table/drop-event-table-sql.js';
export { dropDurableTriggerSql } from './sources/event-table/drop-durable-trigger-sql.js';
