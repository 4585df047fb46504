package odoosim

import "time"

// Latency is what calls cost, at pace 1. The zero value of Options uses
// Measured.
type Latency struct {
	Call         time.Duration // a call without a session cookie (facts/odoo.md B1)
	Session      time.Duration // a call with a session cookie
	Login        time.Duration // common.login and common.authenticate
	Authenticate time.Duration // /web/session/authenticate
	Row          time.Duration // per row returned
	Scan         time.Duration // per row examined
	ListScan     time.Duration // per row examined and member of the longest "in" list, if the rows are scanned
	Look         time.Duration // per row examined once for every registrant (facts/odoo.md B3)
	Create       time.Duration // per record, without the look-up of the uniqueness rule
	Partner      time.Duration // per partner created, besides
	Write        time.Duration // per record
	Unlink       time.Duration // per record
}

// Measured is facts/odoo.md B1 to B3, rounded up.
func Measured() Latency {
	return Latency{
		Call: 12 * time.Millisecond, Session: 5 * time.Millisecond,
		Login: 26 * time.Millisecond, Authenticate: 46 * time.Millisecond,
		Row: 45 * time.Microsecond, Scan: 110 * time.Nanosecond, ListScan: 2 * time.Nanosecond, Look: 45 * time.Nanosecond,
		Create: 400 * time.Microsecond, Partner: 3500 * time.Microsecond, Write: 150 * time.Microsecond, Unlink: 50 * time.Microsecond,
	}
}

// work is what one call did.
type work struct {
	fixed                             time.Duration
	returned, created, wrote, deleted int
	partners                          int   // created
	examined, looked                  int64 // rows; looked: those of a look per registrant
	sorted                            int
	longestList                       int
	listScanned                       int64
	subselects                        []*table // tables that a domain looks into, one entry for each look
	subplans                          int      // looks into reg_ids under "!" or "|": PostgreSQL cannot make a join of them
}

func (w *work) scan(rows int) {
	w.examined += int64(rows)
	if w.longestList > 1 && rows > w.longestList {
		w.listScanned += int64(rows) * int64(w.longestList)
	}
}

// lookInto counts the sub-selects of a domain. Each reads its whole table once;
// above hashRows identifiers PostgreSQL no longer keeps the result of a subplan
// in a hash table and reads g2p_reg_id for every registrant looked at
// (facts/odoo.md B3).
func (w *work) lookInto(e *env, tables []*table, subplans, tested int) {
	for _, t := range tables {
		w.examined += int64(len(t.ids))
	}
	if rows := len(e.db.regs.ids); e.hashRows > 0 && rows > e.hashRows {
		w.looked += int64(rows) * int64(tested) * int64(subplans)
	}
}

// scanning is PostgreSQL's part of the time at pace 1; other calls run meanwhile.
func (w *work) scanning(l Latency) time.Duration {
	return time.Duration(w.examined)*l.Scan +
		time.Duration(w.listScanned)*l.ListScan +
		time.Duration(w.looked)*l.Look
}

// computing is Odoo's own part, during which it does little else.
func (w *work) computing(l Latency) time.Duration {
	return w.fixed +
		time.Duration(w.returned)*l.Row +
		time.Duration(w.sorted)*l.Row/10 +
		time.Duration(w.created)*l.Create +
		time.Duration(w.partners)*l.Partner +
		time.Duration(w.wrote)*l.Write +
		time.Duration(w.deleted)*l.Unlink
}

// Tally is what calls of one kind did, added up.
type Tally struct {
	Calls    int64 `json:"calls"`
	Failed   int64 `json:"failed"`   // answered with an error, or not at all
	Returned int64 `json:"returned"` // rows sent to clients
	Examined int64 `json:"examined"` // rows that PostgreSQL would have read
	Created  int64 `json:"created"`
	Written  int64 `json:"written"`
	Deleted  int64 `json:"deleted"`
}

func (t *Tally) add(w *work, failed bool) {
	t.Calls++
	t.Returned += int64(w.returned)
	t.Examined += w.examined + w.looked
	if failed {
		t.Failed++
		return
	}
	t.Created += int64(w.created)
	t.Written += int64(w.wrote)
	t.Deleted += int64(w.deleted)
}
