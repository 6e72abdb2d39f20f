package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.LocalDate;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Typed answers from Java. The models are functions of the test. */
class StructuredOutputTest {
    record Movie(String title, int year, Optional<Director> director) {}

    record Director(String name, LocalDate born) {}

    enum Genre { DRAMA, COMEDY }

    sealed interface Shape permits Circle, Square {}

    record Circle(double radius) implements Shape {}

    record Square(double side) implements Shape {}

    private static final String BRAZIL = "{\"title\":\"Brazil\",\"year\":1985,\"director\":{\"name\":\"Gilliam\",\"born\":\"1940-11-22\"}}";
    private static final Movie MOVIE = new Movie("Brazil", 1985, Optional.of(new Director("Gilliam", LocalDate.of(1940, 11, 22))));

    private final Llm llm = Llm.create();

    @AfterEach
    void close() {
        llm.close();
    }

    /** A model that gives these answers, one after the other. */
    private static Model answering(String... answers) {
        Iterator<String> next = List.of(answers).iterator();
        return Models.simple(prompt -> next.next());
    }

    @Test
    void anAnswerIsARecord() {
        assertEquals(MOVIE, llm.chat(answering(BRAZIL), "A movie about bureaucracy").getAs(Movie.class));
    }

    @Test
    void itsPartialValuesComeWhileItStreams() {
        List<Movie> seen = new java.util.ArrayList<>();
        assertEquals(MOVIE, llm.chat(answering(BRAZIL), "A movie about bureaucracy").forEachPartial(Movie.class, seen::add));
        assertEquals(MOVIE, seen.get(seen.size() - 1));
    }

    @Test
    void orAList() {
        List<Movie> movies = llm.chat(answering("{\"value\":[" + BRAZIL + "]}"), "Movies about bureaucracy").getListOf(Movie.class);
        assertEquals(List.of(MOVIE), movies);
        List<List<Movie>> seen = new java.util.ArrayList<>();
        assertEquals(List.of(MOVIE), llm.chat(answering("{\"value\":[" + BRAZIL + "]}"), "Movies").forEachPartialList(Movie.class, seen::add));
        assertEquals(List.of(MOVIE), seen.get(seen.size() - 1));
        assertEquals(List.of(MOVIE), llm.chat(answering("{\"value\":[" + BRAZIL + "]}"), "Movies").toFutureOfList(Movie.class).join());
    }

    @Test
    void orOneOfAnEnumOrOfASealedInterface() {
        assertEquals(Genre.COMEDY, llm.chat(answering("{\"value\":\"COMEDY\"}"), "Which genre is it?").getAs(Genre.class));
        assertEquals(new Circle(1.5), llm.chat(answering("{\"value\":{\"type\":\"Circle\",\"radius\":1.5}}"), "A shape").getAs(Shape.class));
    }

    @Test
    void orANumberABooleanOrAListOfTexts() {
        assertEquals(42, llm.chat(answering("{\"value\":42}"), "How many?").getAs(Integer.class));
        assertEquals(true, llm.chat(answering("{\"value\":true}"), "Is it?").getAs(Boolean.class));
        assertEquals(List.of("a", "b"), llm.chat(answering("{\"value\":[\"a\",\"b\"]}"), "Which?").getListOf(String.class));
    }

    @Test
    void aStringIsTheTextItself() throws Exception {
        assertEquals("\"Brazil\", of course.\n", llm.chat(answering("\"Brazil\", of course.\n"), "A movie").getAs(String.class));
        assertEquals(BRAZIL, llm.chat(answering(BRAZIL), "A movie").toFutureOf(String.class).get(5, TimeUnit.SECONDS));
    }

    @Test
    void orAFuture() throws Exception {
        assertEquals(MOVIE, llm.chat(answering(BRAZIL), "A movie").toFutureOf(Movie.class).get(5, TimeUnit.SECONDS));
    }

    @Test
    void theResponseBehindItHasTokensAndCost() {
        Reply reply = llm.chat(answering(BRAZIL), "A movie");
        assertEquals(MOVIE, reply.getAs(Movie.class));
        assertEquals(BRAZIL, reply.get().text());
    }

    @Test
    void sentencesAndCodeFencesAroundTheJsonAreLeftOut() {
        assertEquals(MOVIE, llm.chat(answering("Sure!\n```json\n" + BRAZIL + "\n```\nEnjoy."), "A movie").getAs(Movie.class));
    }

    @Test
    void anAnswerOfAnotherFormIsAskedForOnceMore() {
        Reply reply = llm.chat(answering("{\"title\":\"Brazil\"}", BRAZIL), "A movie");
        assertEquals(MOVIE, reply.getAs(Movie.class));
        assertTrue(reply.get().warnings().get(0).contains("$.year is missing"), reply.get().warnings()::toString);
    }

    @Test
    void thenItFailsWithTheText() throws Exception {
        var failure = assertThrows(LlmException.MalformedResponse.class, () -> llm.chat(answering("no", "no again"), "A movie").getAs(Movie.class));
        assertEquals("no again", failure.partial().text());
        var later = llm.chat(answering("no", "no again"), "A movie").toFutureOf(Movie.class);
        assertInstanceOf(LlmException.MalformedResponse.class, assertThrows(ExecutionException.class, () -> later.get(5, TimeUnit.SECONDS)).getCause());
    }

    @Test
    void aClassThatCannotBeReadIsRefusedAtOnce() {
        var failure = assertThrows(IllegalArgumentException.class, () -> llm.chat(answering(), "A thread").getAs(Thread.class));
        assertTrue(failure.getMessage().contains("make it a Java record"), failure.getMessage());
    }
}
