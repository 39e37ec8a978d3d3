// The ready list of an eventpoll: a doubly linked ring through the items themselves (struct list_head), so that queueing an
// item allocates nothing and taking one out needs no search.

export interface ReadyLink {
  rdlPrev: ReadyLink;
  rdlNext: ReadyLink;
}

/** list_del_init; harmless when it is in no list. */
export function unlink(link: ReadyLink): void {
  link.rdlPrev.rdlNext = link.rdlNext;
  link.rdlNext.rdlPrev = link.rdlPrev;
  link.rdlPrev = link;
  link.rdlNext = link;
}

/** Head of a list. */
export class ReadyList implements ReadyLink {
  rdlPrev: ReadyLink = this;
  rdlNext: ReadyLink = this;

  get empty(): boolean {
    return this.rdlNext === this;
  }

  /** list_add */
  pushFront(link: ReadyLink): void {
    insert(link, this, this.rdlNext);
  }

  /** list_add_tail */
  pushBack(link: ReadyLink): void {
    insert(link, this.rdlPrev, this);
  }

  /** Puts all of `other` before what is here (list_splice); `other` is empty afterwards. */
  spliceFront(other: ReadyList): void {
    if (other.empty) return;
    const first = other.rdlNext;
    const last = other.rdlPrev;
    first.rdlPrev = this;
    last.rdlNext = this.rdlNext;
    this.rdlNext.rdlPrev = last;
    this.rdlNext = first;
    other.rdlPrev = other;
    other.rdlNext = other;
  }
}

function insert(link: ReadyLink, prev: ReadyLink, next: ReadyLink): void {
  link.rdlPrev = prev;
  link.rdlNext = next;
  prev.rdlNext = link;
  next.rdlPrev = link;
}
