package dev.unifiedllm.chat

import java.util.concurrent.ConcurrentHashMap

/** The amounts of one period of a budget, in pico dollars (1e-12). Read and changed by the holder of [lock]. */
internal class BudgetAccount {
    var spent: Long = 0
    var reserved: Long = 0

    companion object {
        /** Of all accounts: a reservation takes several at once. */
        val lock: Any = Any()
    }
}

/** The accounts of one call, by their budgets. */
internal class CallAccounts {
    private val accounts = ConcurrentHashMap<Any, BudgetAccount>()

    fun of(budget: Any): BudgetAccount = accounts.computeIfAbsent(budget) { BudgetAccount() }
}

/** Whether an attempt has left the queues of the rate limits. */
internal class SentFlag {
    @Volatile
    var isSent: Boolean = false
}
