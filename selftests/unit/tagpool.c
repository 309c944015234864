// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of tags that are ready: one producer, consumers on other threads,
 * and consumers that interrupt consumers. A signal handler stands in for NMI.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"
#include "tagpool.h"

static struct ap_pool pool;

static void empty_and_full(void)
{
	u32 i, round;

	memset(&pool, 0, sizeof(pool));
	EXPECT(!ap_pool_take(&pool), "a new pool is empty");
	for (round = 0; round < 5; round++) {
		for (i = 0; i < AP_POOL_SIZE; i++) {
			EXPECT(ap_pool_ready(&pool) == i, "%u are ready", ap_pool_ready(&pool));
			EXPECT(ap_pool_put(&pool, round * AP_POOL_SIZE + i + 1), "put %u", i);
		}
		EXPECT(!ap_pool_put(&pool, 1), "a full pool takes one more");
		EXPECT(ap_pool_ready(&pool) == AP_POOL_SIZE, "%u are ready", ap_pool_ready(&pool));
		for (i = 0; i < AP_POOL_SIZE; i++)
			EXPECT(ap_pool_take(&pool) == round * AP_POOL_SIZE + i + 1, "take %u", i);
		EXPECT(!ap_pool_take(&pool), "an emptied pool has one more");
		EXPECT(!ap_pool_ready(&pool), "%u are ready", ap_pool_ready(&pool));
	}
}

static void random_puts_and_takes(void)
{
	u32 put = 0, taken = 0, i;

	memset(&pool, 0, sizeof(pool));
	for (i = 0; i < 3000000; i++) {
		/* long runs of either kind, so that both ends are reached */
		bool more = random_below(100) < ((i >> 14) & 1 ? 70 : 30);

		if (more) {
			bool done = ap_pool_put(&pool, put + 1);

			EXPECT(done == (put - taken < AP_POOL_SIZE), "put with %u ready", put - taken);
			put += done;
		} else {
			u32 tag = ap_pool_take(&pool);

			EXPECT(tag == (put == taken ? 0 : taken + 1), "took %u", tag);
			taken += !!tag;
		}
		EXPECT(ap_pool_ready(&pool) == put - taken, "%u are ready", ap_pool_ready(&pool));
	}
}

/*
 * Tags go round: the producer nr_put those that have been taken. A tag that is
 * taken twice, lost or invented shows in its state.
 */
#define NR_TAGS		(AP_POOL_SIZE + 1500)	/* more than the pool holds */
#define NR_CONSUMERS	3
#define MIN_NESTED	100

enum { TAKEN, READY };

static u32 state[NR_TAGS + 1];
static u64 nr_put, nr_taken, nr_nested, found_full;
static bool stop;

static void take_one(u64 *counter)
{
	u32 tag = ap_pool_take(&pool);

	if (!tag)
		return;
	EXPECT(tag <= NR_TAGS, "tag %u was never put", tag);
	if (tag <= NR_TAGS)
		EXPECT(xchg(&state[tag], TAKEN) == READY, "tag %u was taken twice", tag);
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void *consumer(void *unused)
{
	while (!READ_ONCE(stop))
		take_one(&nr_taken);
	return NULL;
}

static void interrupt(int sig)
{
	take_one(&nr_nested);
	take_one(&nr_nested);
}

static void *producer(void *unused)
{
	u32 tag;

	while (!READ_ONCE(stop)) {
		for (tag = 1; tag <= NR_TAGS; tag++) {
			if (READ_ONCE(state[tag]) != TAKEN)
				continue;
			/* READY first: it may be taken before put returns. */
			WRITE_ONCE(state[tag], READY);
			if (!ap_pool_put(&pool, tag)) {
				WRITE_ONCE(state[tag], TAKEN);
				found_full++;
				break;
			}
			nr_put++;
		}
	}
	return NULL;
}

static void go_round(bool interrupts)
{
	pthread_t threads[NR_CONSUMERS], maker;
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART };
	struct timespec now, end;
	time_t late;
	u32 tag, left = 0;
	int i;

	memset(&pool, 0, sizeof(pool));
	memset(state, 0, sizeof(state));
	nr_put = 0;
	nr_taken = 0;
	nr_nested = 0;
	found_full = 0;
	stop = false;
	sigaction(SIGUSR1, &action, NULL);

	pthread_create(&maker, NULL, producer, NULL);
	usleep(100000);		/* let it fill the pool */
	for (i = 0; i < NR_CONSUMERS; i++)
		pthread_create(&threads[i], NULL, consumer, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 2;
	/* Interrupts come slowly on a busy machine: as long as it takes, within reason. */
	late = end.tv_sec + 20;
	do {
		if (interrupts)
			pthread_kill(threads[random_below(NR_CONSUMERS)], SIGUSR1);
		else
			usleep(1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (interrupts && now.tv_sec < late && READ_ONCE(nr_nested) < MIN_NESTED));
	WRITE_ONCE(stop, true);
	pthread_join(maker, NULL);
	for (i = 0; i < NR_CONSUMERS; i++)
		pthread_join(threads[i], NULL);

	while ((tag = ap_pool_take(&pool))) {
		EXPECT(tag <= NR_TAGS && xchg(&state[tag], TAKEN) == READY, "tag %u", tag);
		left++;
	}
	for (tag = 1; tag <= NR_TAGS; tag++)
		EXPECT(state[tag] == TAKEN, "tag %u is lost", tag);
	EXPECT(nr_put == nr_taken + nr_nested + left, "%llu put, %llu and %llu taken, %u left",
	       (unsigned long long)nr_put, (unsigned long long)nr_taken,
	       (unsigned long long)nr_nested, left);
	EXPECT(found_full, "the pool was never full");
	EXPECT(nr_taken > 10000, "only %llu taken", (unsigned long long)nr_taken);
	EXPECT(!interrupts || nr_nested >= MIN_NESTED, "only %llu taken in interrupts",
	       (unsigned long long)nr_nested);
	printf("# %llu put, %llu taken, %llu of them in interrupts\n", (unsigned long long)nr_put,
	       (unsigned long long)(nr_taken + nr_nested), (unsigned long long)nr_nested);
}

static void consumers_on_threads(void)
{
	go_round(false);
}

static void consumers_interrupt_consumers(void)
{
	go_round(true);
}

static const struct ktap_test tests[] = {
	{ "empty, full, in order, round after round", empty_and_full },
	{ "random puts and takes", random_puts_and_takes },
	{ "threads take each tag once a put", consumers_on_threads },
	{ "so do consumers that interrupt consumers", consumers_interrupt_consumers },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20234);
}
