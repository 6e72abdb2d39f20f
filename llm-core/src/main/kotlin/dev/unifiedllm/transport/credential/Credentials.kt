package dev.unifiedllm.transport.credential

import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Provider.Auth
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.Transport
import java.time.Clock

/** The credentials of one client. Each source exists once, so that all calls share its token. Thread-safe. */
internal class Credentials(environment: Environment, transport: Transport, clock: Clock = Clock.systemUTC()) {
    private val endpoint = TokenEndpoint(transport)
    private val aws = AwsCredentials(environment, clock)
    private val google = GoogleTokens(environment, endpoint, clock)
    private val ibm = IbmTokens(environment, endpoint, clock)
    private val entra = EntraTokens(environment, endpoint, clock)

    /** The credential for requests to [target]; null where a key in a header is enough, or nothing is sent. */
    fun of(target: Target): Credential? = when (target.provider.auth) {
        Auth.AWS -> if (target.key == null) aws.credential(target) else null
        Auth.GOOGLE -> if (target.key == null) google.credential(target) else null
        Auth.API_KEY -> if (target.key == null) entra.credential(target) else null
        Auth.IBM -> target.key?.let { ibm.credential(target, it) }
        else -> null
    }
}
