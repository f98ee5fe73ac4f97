// The order within the sessions that this server alone has.
import { AppError } from '../../shared/errors.ts';
import { MAX_WAITING, type Place, type SessionOrder } from './order.ts';

interface Line {
  readonly owner: string;
  readonly waiting: Set<() => void>;
}

/** @param ownerOf whose a session is that is stored */
export function memoryOrder(ownerOf: (sessionId: string) => string | undefined): SessionOrder {
  const lines = new Map<string, Line>();
  let tickets = 0;

  const next = (sessionId: string, line: Line): void => {
    const [begin] = line.waiting;
    if (begin === undefined) {
      lines.delete(sessionId);
      return;
    }
    line.waiting.delete(begin);
    begin();
  };

  return {
    enter(sessionId, owner, isNew): Place {
      const known = lines.get(sessionId);
      const owned = known?.owner ?? (isNew ? undefined : ownerOf(sessionId));
      if (owned !== undefined && owned !== owner) throw new AppError('SESSION_TAKEN');
      if (known !== undefined && known.waiting.size >= MAX_WAITING) throw new AppError('SESSION_BUSY');
      const line = known ?? { owner, waiting: new Set() };
      lines.set(sessionId, line);
      let turn = known === undefined;
      let begin: (() => void) | null = null;
      const comes = (): void => {
        turn = true;
        begin?.();
      };
      if (!turn) line.waiting.add(comes);
      let left = false;
      return {
        ticket: String(++tickets),
        mustWait: !turn,
        whenTurn(then) {
          begin = then;
          if (turn) then();
        },
        leave() {
          if (left) return;
          left = true;
          if (turn) next(sessionId, line);
          else line.waiting.delete(comes);
        },
      };
    },
  };
}
