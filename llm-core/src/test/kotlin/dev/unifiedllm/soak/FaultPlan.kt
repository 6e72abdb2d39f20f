package dev.unifiedllm.soak

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delivery
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicIntegerArray
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds

/**
 * What a server does to one attempt.
 *
 * @property weight how often it comes, of a thousand
 * @property requests how many requests the attempt makes: the one that is lost with a pooled connection is sent again at once, and is no attempt
 * @property isExpected true for a failure that the attempt may have; null if it succeeds
 */
internal enum class Fault(val weight: Int, val requests: Int = 1, val isExpected: ((LlmException) -> Boolean)? = null) {
    FINE(716),
    SLOW(60),
    STALE(20, requests = 2),
    RESET(25, requests = 2, isExpected = { it is LlmException.Network && it.phase == LlmException.Network.Phase.SEND }),
    RESET_MIDWAY(35, isExpected = { it is LlmException.StreamInterrupted }),
    TRUNCATED(35, isExpected = { it is LlmException.StreamInterrupted }),
    RATE_LIMITED(25, isExpected = { it is LlmException.RateLimited && it.retryAfter == 2.milliseconds }),
    SERVER_ERROR(25, isExpected = { it is LlmException.ServerError }),
    OVERLOADED(20, isExpected = { it is LlmException.Overloaded }),
    MALFORMED(24, isExpected = { it is LlmException.MalformedResponse }),
    BAD_REQUEST(12, isExpected = { it is LlmException.InvalidRequest }),
    STALLED(3, isExpected = { it is LlmException.Timeout && it.phase == LlmException.Timeout.Phase.FIRST_BYTE }),
}

/** What happens to a call, beside the faults of its attempts. */
internal enum class Course {
    PLAIN,

    /** The first model refuses the connection; its fallback responds. */
    REFUSED,

    /** Cancelled while the server has not responded. */
    CANCELLED_BEFORE_HEAD,

    /** Cancelled at the first content. */
    CANCELLED_IN_BODY,

    /** Cancelled while it waits for its second attempt. */
    CANCELLED_IN_BACKOFF,
}

/** One call and all that happens to it. @property faults of its attempts at the server, in order */
internal class FaultPlan(val number: Int, val delivery: Delivery, val course: Course, val faults: List<Fault>) {
    val answer: List<String> = listOf("Response ", "to call ", "$number.")
    val text: String = answer.joinToString("")
    val isStream: Boolean get() = delivery == Delivery.STREAM

    /** The fault at request number [place], and whether this request repeats one that was lost. */
    fun at(place: Int): Pair<Fault, Boolean>? {
        var first = 0
        for (fault in faults) {
            if (place < first + fault.requests) return fault to (place > first)
            first += fault.requests
        }
        return null
    }

    /** How many requests so many attempts make. */
    fun requests(attempts: Int): Int = faults.take(attempts).sumOf { it.requests }

    override fun toString(): String = "call $number ($delivery, $course, $faults)"

    companion object {
        const val ATTEMPTS = 3
        private const val ALL = 1000

        fun draw(number: Int, random: Random): FaultPlan {
            val course = when (random.nextInt(ALL)) {
                in 0 until 5 -> Course.REFUSED
                in 5 until 15 -> Course.CANCELLED_BEFORE_HEAD
                in 15 until 25 -> Course.CANCELLED_IN_BODY
                in 25 until 30 -> Course.CANCELLED_IN_BACKOFF
                else -> Course.PLAIN
            }
            val delivery = if (course == Course.CANCELLED_IN_BODY || random.nextInt(3) > 0) Delivery.STREAM else Delivery.WHOLE
            val faults = when (course) {
                Course.PLAIN -> List(ATTEMPTS) { fault(random, delivery) }
                Course.CANCELLED_IN_BACKOFF -> listOf(Fault.SERVER_ERROR)
                else -> listOf(Fault.FINE)
            }
            return FaultPlan(number, delivery, course, faults)
        }

        /** A call that succeeds at once. */
        fun fine(number: Int): FaultPlan = FaultPlan(number, Delivery.STREAM, Course.PLAIN, List(ATTEMPTS) { Fault.FINE })

        private fun fault(random: Random, delivery: Delivery): Fault {
            var left = random.nextInt(Fault.entries.sumOf { it.weight })
            val fault = Fault.entries.first {
                left -= it.weight
                left < 0
            }
            return if (fault == Fault.STALLED && delivery == Delivery.WHOLE) Fault.FINE else fault
        }
    }
}

/** The server's side of [plans]. @param onHeld called when call number … waits for its head */
internal class FaultTraffic(private val plans: List<FaultPlan>, private val onHeld: (Int) -> Unit) {
    private val requests = AtomicIntegerArray(plans.size)
    private val resent = AtomicInteger()

    /** Requests that repeat one which was lost with its connection. */
    val resends: Int get() = resent.get()

    /** How many requests of call number [call] have been received. */
    fun received(call: Int): Int = requests[call]

    fun answer(request: SoakRequest): Iterator<Step> {
        val plan = plans[request.number]
        val (fault, isResent) = plan.at(requests.getAndIncrement(plan.number)) ?: (Fault.BAD_REQUEST to false) // one too many: the counts tell
        if (isResent) resent.incrementAndGet()
        check(request.isStream == plan.isStream) { "$plan was sent as ${request.body}" }
        return when (plan.course) {
            Course.CANCELLED_BEFORE_HEAD -> listOf(Step.Run { onHeld(plan.number) }, Step.Hold).iterator()
            Course.CANCELLED_IN_BODY -> listOf(begun(plan), Step.Hold).iterator()
            else -> answer(plan, fault, isResent)
        }
    }

    private fun answer(plan: FaultPlan, fault: Fault, isResent: Boolean): Iterator<Step> = when (fault) {
        Fault.FINE -> fine(plan)
        Fault.SLOW -> if (plan.isStream) ChatBytes.stream(plan.answer, PAUSE) else listOf(Step.Wait(PAUSE), Step.Send(ChatBytes.whole(plan.text))).iterator()
        Fault.STALE -> if (isResent) fine(plan) else listOf(Step.Reset).iterator()
        Fault.RESET -> listOf(Step.Reset).iterator()
        Fault.RESET_MIDWAY -> listOf(begun(plan), Step.Wait(PAUSE), Step.Reset).iterator()
        Fault.TRUNCATED -> listOf(begun(plan), Step.Close).iterator()
        Fault.RATE_LIMITED -> error("429 Too Many Requests", "rate_limit_error", "retry-after-ms: 2")
        Fault.SERVER_ERROR -> error("500 Internal Server Error", "server_error")
        Fault.OVERLOADED -> if (plan.isStream) broken(OVERLOADED) else error("503 Service Unavailable", "overloaded_error")
        Fault.MALFORMED -> if (plan.isStream) broken(MALFORMED) else listOf(Step.Send(ChatBytes.json("200 OK", MALFORMED))).iterator()
        Fault.BAD_REQUEST -> error("400 Bad Request", "invalid_request_error")
        Fault.STALLED -> listOf(Step.Hold).iterator()
    }

    private fun fine(plan: FaultPlan) = if (plan.isStream) ChatBytes.stream(plan.answer) else listOf(Step.Send(ChatBytes.whole(plan.text))).iterator()

    private fun begun(plan: FaultPlan): Step {
        if (plan.isStream) return Step.Send(ChatBytes.HEAD + ChatBytes.opening + ChatBytes.chunk(ChatBytes.text(plan.answer[0])))
        val whole = ChatBytes.whole(plan.text)
        return Step.Send(whole.dropLast(whole.substringAfter("\r\n\r\n").length - plan.number % HALF))
    }

    private fun broken(json: String) =
        listOf(Step.Send(ChatBytes.HEAD + ChatBytes.opening + ChatBytes.chunk(ChatBytes.event(json)) + ChatBytes.chunk(""))).iterator()

    private fun error(status: String, type: String, vararg headers: String) = listOf(Step.Send(ChatBytes.error(status, type, *headers))).iterator()

    private companion object {
        val PAUSE = 2.milliseconds
        const val HALF = 100
        const val OVERLOADED = """{"error":{"message":"Overloaded","type":"overloaded_error","code":"overloaded"}}"""
        const val MALFORMED = """{"id":"r1","choices":[{]}"""
    }
}
