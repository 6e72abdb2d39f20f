package dev.unifiedllm.store

/** A database or a server of shared state cannot be used. [message] says why and what to do; it has no password. */
internal class StoreException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** The sentence about a library that is not on the class path: how to add it. @param artifact as in `redis.clients:jedis` */
internal fun addDependency(artifact: String, version: String): String {
    val (group, name) = artifact.split(':')
    return "Add the dependency $artifact:$version: Gradle implementation(\"$artifact:$version\"), " +
        "Maven <dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>."
}
