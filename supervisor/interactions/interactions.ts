// The interactions of this server: admitted or refused, found, followed, cancelled, held to their deadlines.
import type { UploadedFile } from '../../shared/chat.ts';
import { AppError, ERRORS, type EndCode } from '../../shared/errors.ts';
import { after, orElse } from '../at_once.ts';
import { unauthorized } from '../access/caller.ts';
import type { OwnWorker } from '../workers/own_worker.ts';
import { NEIGHBOUR_PATIENCE_MS } from '../workers/patience.ts';
import { createCourse, tellTaken, type Course } from './course.ts';
import { Courses } from './courses.ts';
import { isUnread, passedDeadline } from './deadlines.ts';
import { Interaction, type InteractionRequest } from './interaction.ts';
import type { InteractionsOptions } from './options.ts';
import { Registry } from './registry.ts';

/** Deadlines are looked after together, this often: a timer each would cost more than it tells. */
const SWEEP_MS = 100;

/** Brings an admitted interaction's files to their place, without which it does not begin. */
type TakeFiles = () => Promise<readonly UploadedFile[]>;

export class Interactions {
  readonly #options: InteractionsOptions;
  readonly #registry: Registry;
  readonly #courses: Courses;
  readonly #timer: NodeJS.Timeout;
  #accepting = true;

  constructor(options: InteractionsOptions) {
    this.#options = options;
    this.#registry = new Registry(options.config.resumeMemoryBytes);
    this.#courses = new Courses(options, (interaction) => this.#registry.retire(interaction));
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Interactions that run in a worker. */
  get active(): number {
    return this.#courses.active;
  }

  /** Interactions that wait, for their session or for a worker. */
  get queued(): number {
    return this.#courses.size - this.active;
  }

  /** @returns the interaction with this id, if this caller started it. @throws AppError INTERACTION_NOT_FOUND */
  find(id: string, owner: string): Interaction {
    const interaction = this.#registry.find(id);
    if (interaction === undefined || interaction.request.owner !== owner) throw new AppError('INTERACTION_NOT_FOUND');
    return interaction;
  }

  /**
   * Admits an interaction: from then on it ends by itself, and `interaction.ended` tells. At once with a store that answers at once.
   * @param takeFiles called once it is admitted
   * @throws AppError UNAUTHORIZED (its token has ended meanwhile), INTERACTION_EXISTS, RATE_LIMITED, SESSION_TAKEN, SESSION_BUSY, OWN_WORKERS_BUSY,
   *   QUEUE_FULL, SHUTTING_DOWN, STORE_UNAVAILABLE
   */
  start(request: InteractionRequest, takeFiles?: TakeFiles): Interaction | Promise<Interaction> {
    const { limits, sessions } = this.#options;
    this.#checkNew(request);
    return after(limits.begin(request.limitKey), (uncount) =>
      orElse<Interaction>(
        () => after(sessions.enter(request), (place) => this.#admit(request, { place, uncount }, takeFiles)),
        (error) => {
          uncount();
          throw error;
        },
      ),
    );
  }

  /** Asks the agent to end; after its grace it is ended whatever it does. Does nothing to one that is over or being cancelled. */
  cancel(interaction: Interaction, code: EndCode = 'CANCELLED', message: string = ERRORS[code].message, graceMs?: number): void {
    const course = this.#courses.find(interaction.id);
    if (course === undefined || course.ending || course.cancel !== null) return;
    course.cancel = { code, message };
    if (course.slot === null) {
      this.#courses.end(course, { code, message });
      return;
    }
    const { cancelGraceMs } = this.#options.config;
    course.cancelDeadline = performance.now() + (graceMs ?? cancelGraceMs);
    course.slot.cancel(interaction.id, cancelGraceMs);
  }

  /** The reader that sets the pace has taken so much of the events (UTF-16 units of their JSON). */
  taken(interaction: Interaction, units: number): void {
    const course = this.#courses.find(interaction.id);
    if (course !== undefined) tellTaken(course, units);
  }

  /** Its readers have come or gone: without any it is cancelled when its grace is over. */
  readersChanged(interaction: Interaction): void {
    const course = this.#courses.find(interaction.id);
    if (course === undefined) return;
    // Without the reader that set the pace nothing holds the worker back: what that one had not taken counts as taken.
    if (interaction.pacer === null && course.untaken > 0) tellTaken(course, course.untaken);
    const now = performance.now();
    course.unreadSince = interaction.hasReaders ? null : now;
    if (isUnread(course, now)) this.cancel(interaction, 'CANCELLED', 'The client went away.');
  }

  /** Resolves when none lives. */
  async idle(): Promise<void> {
    await this.#courses.idle();
  }

  /** Takes no new one, and ends every one there is with the error `shutting_down`. */
  endAll(): void {
    this.#accepting = false;
    this.#courses.endAll('SHUTTING_DOWN');
  }

  /** The same, and all of their readers are told before it returns: the process ends next. What the log can keep of it without waiting, it does. */
  endAllNow(): void {
    this.#accepting = false;
    this.#courses.endAllNow('SHUTTING_DOWN');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #checkNew(request: InteractionRequest): void {
    if (this.#options.tokenEnd(request.token) !== null) throw unauthorized();
    if (this.#registry.find(request.id) !== undefined) throw new AppError('INTERACTION_EXISTS');
    if (!this.#accepting) throw new AppError('SHUTTING_DOWN');
  }

  /** It has its place: unless it is in the way of others after all, it lives from now on. */
  #admit(request: InteractionRequest, { place, uncount }: Pick<Course, 'place' | 'uncount'>, takeFiles: TakeFiles | undefined): Interaction {
    const { dispatcher, agentName } = this.#options;
    let own: OwnWorker | null = null;
    try {
      this.#checkNew(request);
      if (request.reinitialize) own = dispatcher.own.reserve();
      else if (place.mustWait ? !dispatcher.reserve() : !dispatcher.hasRoom) throw new AppError('QUEUE_FULL');
    } catch (error) {
      place.leave();
      throw error;
    }
    const interaction = new Interaction(request, agentName);
    const course = createCourse(interaction, { place, uncount, own });
    this.#registry.add(interaction);
    this.#courses.add(course, takeFiles?.() ?? null);
    return interaction;
  }

  #sweep(): void {
    const now = performance.now();
    const { config, dispatcher, tokenEnd } = this.#options;
    for (const course of this.#courses.all()) {
      const verdict = passedDeadline(course, now, config, dispatcher.hasWorkers, tokenEnd);
      if (verdict?.type === 'cancel') this.cancel(course.interaction, verdict.code, verdict.message, verdict.graceMs);
      if (verdict?.type === 'enforce') this.#enforceCancel(course);
    }
    this.#registry.sweep(Date.now());
  }

  /** The agent did not end when it was asked to: its caller is told, and its worker is replaced once the neighbours are done. */
  #enforceCancel(course: Course): void {
    const { interaction, slot, cancel } = course;
    slot?.abandon(interaction.id);
    slot?.taint(`interaction ${interaction.id} did not end when it was cancelled`, NEIGHBOUR_PATIENCE_MS);
    this.#courses.end(course, cancel ?? { code: 'CANCELLED', message: ERRORS.CANCELLED.message });
  }
}
